#!/usr/bin/env escript
-mode(compile).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).
%% Runs random gen_servers: each message says what the server does with it. Answers with what has happened.
main(_) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    loop().

loop() ->
    case io:read("") of
        {ok, Case} -> io:format("~s~n", [json(run(Case))]), loop();
        eof -> ok
    end.

run({Trap, Init, Terminate, Steps}) ->
    Started = gen_server:start_link(?MODULE, {self(), Trap, Init, Terminate}, []),
    {Pid, Outcome} =
        case Started of
            {ok, P} -> {P, ok};
            ignore -> {none, ignore};
            {error, Reason} -> {none, [error, reason(Reason)]}
        end,
    settle(Pid),
    Results = [begin R = step(Pid, Step), settle(Pid), R end || Pid =/= none, Step <- Steps],
    case Pid of none -> ok; _ -> unlink(Pid), exit(Pid, kill), settle(Pid) end,
    %% An init that fails also sends an exit signal in OTP, which ours does not, on purpose.
    {Log, Ended} = case {flush([], none), Pid} of {{L, _}, none} -> {L, none}; {Both, _} -> Both end,
    [Outcome, Log, [result(R) || R <- Results], Ended].

settle(none) -> ok;
settle(Pid) -> catch sys:get_state(Pid, 5000).

step(Pid, {call, Op}) -> {asked, gen_server:send_request(Pid, Op)};
step(Pid, {cast, Op}) -> gen_server:cast(Pid, Op), ok;
step(Pid, {info, Op}) -> Pid ! Op, ok;
step(Pid, {parent_exit, Reason}) -> exit(Pid, Reason), ok;
step(Pid, {stranger_exit, Reason}) ->
    {_, Ref} = spawn_monitor(fun() -> exit(Pid, Reason) end),
    receive {'DOWN', Ref, _, _, _} -> ok end;
step(Pid, {stop, Reason}) ->
    case catch gen_server:stop(Pid, Reason, 5000) of
        ok -> ok;
        {'EXIT', Other} -> [stopped, reason(Other)]
    end;
step(Pid, suspend) -> done(catch sys:suspend(Pid));
step(Pid, resume) -> done(catch sys:resume(Pid));
step(Pid, state) ->
    case catch sys:get_state(Pid) of
        #{count := Count} -> Count;
        _ -> gone
    end.

done(ok) -> ok;
done(_) -> gone.

result({asked, Request}) ->
    case gen_server:receive_response(Request, 50) of
        {reply, X} -> [reply, X];
        {error, {Reason, _}} -> [error, reason(Reason)];
        timeout -> none
    end;
result(Result) -> Result.

flush(Log, Ended) ->
    receive
        {log, Entry} -> flush([Entry | Log], Ended);
        {'EXIT', _, Reason} -> flush(Log, [ended, reason(Reason)])
    after 0 -> {lists:reverse(Log), Ended}
    end.

reason({Reason, [{_, _, _, _} | _]}) when Reason =/= shutdown -> crash;
reason({Reason, {gen_server, _, _}}) -> reason(Reason);
reason({Reason, {sys, _, _}}) -> reason(Reason);
reason({shutdown, Why}) -> [shutdown, Why];
reason(Reason) -> Reason.

init({Driver, Trap, Init, Terminate}) ->
    process_flag(trap_exit, Trap),
    State = #{driver => Driver, count => 0, waiting => [], terminate => Terminate},
    case Init of
        ok -> {ok, State};
        {continue, Op} -> {ok, State, {continue, Op}};
        {stop, Reason} -> {stop, Reason};
        ignore -> ignore;
        crash -> error(oops)
    end.

handle_call({defer, N}, From, State) -> {noreply, wait(From, note([call, defer, N], State))};
handle_call(Op, From, State) -> act(Op, From, note([call | words(Op)], State)).

handle_cast(Op, State) -> act(Op, none, note([cast | words(Op)], State)).

handle_info({'EXIT', _, Reason}, State) -> {noreply, note([exit, reason(Reason)], State)};
handle_info(Op, State) -> act(Op, none, note([info | words(Op)], State)).

handle_continue(Op, State) -> act(Op, none, note([continue | words(Op)], State)).

terminate(Reason, State = #{terminate := Terminate}) ->
    note([terminate, reason(Reason)], State),
    case Terminate of
        ok -> ok;
        crash -> error(oops);
        {exit, Other} -> exit(Other)
    end.

words(Op) -> [element(1, Op), element(2, Op)].

act({answer, N}, From, State = #{waiting := [First | Rest]}) ->
    gen_server:reply(First, N),
    reply(From, N, State#{waiting := Rest});
act({stop, _, Reason}, _, State) -> {stop, Reason, State};
act({stop_reply, N, Reason}, none, State) -> _ = N, {stop, Reason, State};
act({stop_reply, N, Reason}, _, State) -> {stop, Reason, N, State};
act({crash, _}, _, _) -> error(oops);
act({exit, _, Reason}, _, _) -> exit(Reason);
act({continue, N, Op}, none, State) -> _ = N, {noreply, State, {continue, Op}};
act({continue, N, Op}, _, State) -> {reply, N, State, {continue, Op}};
act({trap, N, Trap}, From, State) -> process_flag(trap_exit, Trap), reply(From, N, State);
act({_, N}, From, State) -> reply(From, N, State).

reply(none, _, State) -> {noreply, State};
reply(_, N, State) -> {reply, N, State}.

wait(From, State = #{waiting := Waiting}) -> State#{waiting := Waiting ++ [From]}.

note(Entry, State = #{driver := Driver, count := Count}) ->
    Driver ! {log, Entry},
    State#{count := Count + 1}.

json(List) when is_list(List) -> ["[", lists:join(",", [json(Item) || Item <- List]), "]"];
json(Tuple) when is_tuple(Tuple) -> json(tuple_to_list(Tuple));
json(Atom) when is_atom(Atom) -> ["\"", atom_to_list(Atom), "\""];
json(Number) -> integer_to_list(Number).
