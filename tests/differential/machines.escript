#!/usr/bin/env escript
-mode(compile).
-behaviour(gen_statem).
-export([init/1, callback_mode/0, handle_event/4, terminate/3]).
%% Runs random gen_statems: each event says what the machine does with it. Answers with what it has handled.
main(_) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    loop().

loop() ->
    case io:read("") of
        {ok, Case} -> io:format("~s~n", [json(run(Case))]), loop();
        eof -> ok
    end.

run({Enters, Begin, Steps}) ->
    persistent_term:put(mode, case Enters of none -> [handle_event_function]; _ -> [handle_event_function, state_enter] end),
    {ok, Pid} = gen_statem:start_link(?MODULE, {self(), Enters, Begin}, []),
    settle(Pid),
    lists:foreach(fun(Step) -> step(Pid, Step), settle(Pid) end, Steps),
    unlink(Pid),
    exit(Pid, kill),
    flush([]).

settle(Pid) -> catch sys:get_state(Pid, 5000).

step(Pid, {cast, Spec}) -> gen_statem:cast(Pid, Spec);
step(Pid, {info, Spec}) -> Pid ! Spec.

flush(Log) ->
    receive
        {log, Entry} -> flush([Entry | Log]);
        {'EXIT', _, Reason} -> flush([[ended, reason(Reason)] | Log])
    after 0 -> lists:reverse(Log)
    end.

reason({_, [{_, _, _, _} | _]}) -> crash;
reason(Reason) -> Reason.

callback_mode() -> persistent_term:get(mode).

init({Driver, Enters, Begin}) ->
    Data = #{driver => Driver, enters => Enters, seen => #{}},
    {ok, a, Data, actions(Begin)}.

terminate(_, _, _) -> ok.

handle_event(enter, Old, State, Data = #{enters := Enters}) ->
    log(Data, [enter, State, Old]),
    case Enters of
        [Spec | Rest] when Old =/= State; Rest =/= none -> enter(Spec, Data#{enters := Rest});
        _ -> {keep_state, Data}
    end;
handle_event(Type, Content, State, Data) when is_integer(Content) ->
    log(Data, [type(Type), State, Content]),
    {keep_state, Data};
handle_event(Type, {Id, Spec}, State, Data = #{seen := Seen}) ->
    log(Data, [type(Type), State, Id]),
    Times = maps:get(Id, Seen, 0),
    follow(Times, Spec, State, Data#{seen := Seen#{Id => Times + 1}}).

follow(Times, _, _, Data) when Times > 1 -> {keep_state, Data};
follow(_, Spec = #{next := Next}, State, Data) ->
    Actions = actions(Spec),
    case Next of
        keep -> {keep_state, Data, Actions};
        repeat -> {repeat_state, Data, Actions};
        stop -> {stop, stopped, Data};
        State -> {next_state, State, Data, Actions};
        _ -> {next_state, Next, Data, Actions}
    end.

enter(Spec = #{next := repeat}, Data) -> {repeat_state, Data, actions(Spec)};
enter(Spec, Data) -> {keep_state, Data, actions(Spec)}.

actions(Spec) ->
    [postpone || maps:get(postpone, Spec, false)]
        ++ [{next_event, Type, Event} || {Type, Event} <- maps:get(events, Spec, [])]
        ++ [timeout(Timeout) || Timeout <- maps:get(timeouts, Spec, [])].

timeout({state, _, cancel, _}) -> {state_timeout, cancel};
timeout({state, _, After, Content}) -> {state_timeout, time(After), Content};
timeout({event, _, cancel, _}) -> {timeout, cancel};
timeout({event, _, After, Content}) -> {timeout, time(After), Content};
timeout({generic, Name, cancel, _}) -> {{timeout, Name}, cancel};
timeout({generic, Name, After, Content}) -> {{timeout, Name}, time(After), Content}.

time(long) -> 1000000;
time(After) -> After.

type({timeout, Name}) -> Name;
type(Type) -> Type.

log(#{driver := Driver}, Entry) -> Driver ! {log, Entry}.

json(List) when is_list(List) -> ["[", lists:join(",", [json(Item) || Item <- List]), "]"];
json(Tuple) when is_tuple(Tuple) -> json(tuple_to_list(Tuple));
json(Atom) when is_atom(Atom) -> ["\"", atom_to_list(Atom), "\""];
json(Number) -> integer_to_list(Number).
