#!/usr/bin/env escript
-mode(compile).
-export([init/1, start/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
%% Runs random supervisors. Each start of a child takes the next of its outcomes. Answers with what has happened.
main(_) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    loop().

loop() ->
    case io:read("") of
        {ok, Case} -> io:format("~s~n", [json(run(Case))]), loop();
        eof -> ok
    end.

run({Flags, Children, Outcomes, Steps}) ->
    persistent_term:put(driver, self()),
    catch ets:delete(outcomes),
    ets:new(outcomes, [named_table, public]),
    ets:insert(outcomes, maps:to_list(Outcomes)),
    case supervisor:start_link(?MODULE, {sup, Flags, Children}) of
        {error, _} -> flush_exits(), [error, log()];
        {ok, Pid} ->
            Begun = log(),
            Results = [begin R = step(Pid, Step), settle(Pid), [R, status(Pid), log()] end || Step <- Steps],
            Alive = case is_process_alive(Pid) of true -> alive; false -> ended end,
            Ref = monitor(process, Pid),
            exit(Pid, shutdown),
            receive {'DOWN', Ref, _, _, _} -> ok end,
            flush_exits(),
            [Begun, Results, Alive, log()]
    end.

flush_exits() -> receive {'EXIT', _, _} -> flush_exits() after 0 -> ok end.

outcome(Id) ->
    Next = case ets:lookup(outcomes, Id) of
        [{_, [First | Rest]}] -> ets:insert(outcomes, {Id, Rest}), First;
        _ -> ok
    end,
    persistent_term:get(driver) ! {log, [start, Id, Next]},
    Next.

%% A failed restart is tried again by a message of the supervisor to itself.
settle(Pid) -> [catch supervisor:count_children(Pid) || _ <- lists:seq(1, 12)].

status(Pid) ->
    case (catch supervisor:which_children(Pid)) of
        List when is_list(List) -> lists:reverse([[Id, child(P)] || {Id, P, _, _} <- List]);
        _ -> gone
    end.

child(Pid) when is_pid(Pid) -> running;
child(Word) -> Word.

log() -> receive {log, Entry} -> [Entry | log()] after 0 -> [] end.

step(Pid, {die, Id, Reason}) ->
    case (catch supervisor:which_children(Pid)) of
        List when is_list(List) ->
            case lists:keyfind(Id, 1, List) of
                {_, Child, _, _} when is_pid(Child) ->
                    Ref = monitor(process, Child),
                    case Reason of kill -> exit(Child, kill); _ -> gen_server:cast(Child, Reason) end,
                    receive {'DOWN', Ref, _, _, _} -> ok end;
                _ -> none
            end;
        _ -> none
    end;
step(Pid, {start_child, Child}) -> answer((catch supervisor:start_child(Pid, spec(Child))));
step(Pid, {Function, Id}) -> answer((catch supervisor:Function(Pid, Id))).

answer(ok) -> ok;
answer({ok, Pid}) when is_pid(Pid) -> started;
answer({ok, undefined}) -> undefined;
answer({error, {already_started, _}}) -> already_started;
answer({error, Word}) when is_atom(Word), Word =/= oops -> Word;
answer({error, _}) -> start_failed;
answer({'EXIT', _}) -> gone.

init({sup, {Strategy, Intensity, Shutdown}, Children}) ->
    {ok, {#{strategy => Strategy, intensity => Intensity, period => 3600, auto_shutdown => Shutdown},
        [spec(Child) || Child <- Children]}};
init(Id) ->
    process_flag(trap_exit, true),
    {ok, Id}.

spec({Id, Restart, Significant}) ->
    #{id => Id, start => {?MODULE, start, [Id]}, restart => Restart, significant => Significant}.

start(Id) ->
    case outcome(Id) of
        ok -> gen_server:start_link(?MODULE, Id, []);
        ignore -> ignore;
        error -> {error, oops}
    end.

handle_call(_, _, Id) -> {reply, ok, Id}.
handle_cast(Reason, Id) -> {stop, Reason, Id}.
handle_info(_, Id) -> {noreply, Id}.
terminate(Reason, Id) -> persistent_term:get(driver) ! {log, ['end', Id, Reason]}.

json(List) when is_list(List) -> ["[", lists:join(",", [json(Item) || Item <- List]), "]"];
json(Tuple) when is_tuple(Tuple) -> json(tuple_to_list(Tuple));
json(Atom) when is_atom(Atom) -> ["\"", atom_to_list(Atom), "\""];
json(Number) -> integer_to_list(Number).
