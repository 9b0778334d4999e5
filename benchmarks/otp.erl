%% Erlang/OTP's own processes, measured as the Python candidates are: `erl -noshell -run otp main FIGURE`.
-module(otp).
-behaviour(gen_server).
-export([main/1, start_worker/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(BATCH, 1000).
-define(CHILDREN, 100000).
-define(QUEUED, 1000000).

main([Figure]) ->
    io:format("~s~n", [measure(list_to_atom(Figure))]),
    halt().

measure(call) ->
    {ok, _} = gen_server:start({local, counter}, ?MODULE, 0, []),
    calls(counter, 200000),
    rate(2000000, fun() -> calls(counter, 2000000) end);
measure(call_clients) ->
    {ok, _} = gen_server:start({local, counter}, ?MODULE, 0, []),
    rate(1000000, fun() -> clients(counter, 100, 10000) end);
measure(cast) ->
    {ok, _} = gen_server:start({local, counter}, ?MODULE, 0, []),
    calls(counter, 1000),
    rate(5000000, fun() -> batches(counter, 5000) end);
measure(message) ->
    Self = self(),
    {ok, One} = gen_server:start(?MODULE, {player, Self}, []),
    {ok, Other} = gen_server:start(?MODULE, {player, Self}, []),
    rate(2000000, fun() -> One ! {Other, 2000000}, receive over -> ok end end);
measure('receive') ->
    Self = self(),
    One = spawn(fun() -> play(Self) end),
    Other = spawn(fun() -> play(Self) end),
    rate(2000000, fun() -> One ! {Other, 2000000}, receive over -> ok end end);
measure(spawn) ->
    rate(1000000, fun() -> spawns(1000) end);
measure(start) ->
    rate(200000, fun() -> starts(200000) end);
measure(children) ->
    process_flag(trap_exit, true),
    Before = memory(),
    {Start, {ok, Top}} = timer:tc(fun() -> supervisor:start_link(?MODULE, workers) end),
    erlang:garbage_collect(Top),
    Bytes = (memory() - Before) / ?CHILDREN,
    {Stop, _} = timer:tc(fun() -> exit(Top, shutdown), receive {'EXIT', Top, _} -> ok end end),
    json([{"bytes", Bytes}, {"start", Start / 1000000}, {"stop", Stop / 1000000}]);
measure(alike) ->
    {ok, Top} = supervisor:start_link(?MODULE, alike),
    Before = memory(),
    [{ok, _} = supervisor:start_child(Top, [name(N)]) || N <- lists:seq(1, ?CHILDREN)],
    erlang:garbage_collect(Top),
    json([{"bytes", (memory() - Before) / ?CHILDREN}]);
measure(fairness) ->
    {ok, Flooded} = gen_server:start(?MODULE, 0, []),
    {ok, Quiet} = gen_server:start(?MODULE, 0, []),
    gen_server:cast(Flooded, pause),
    casts(Flooded, ?QUEUED),
    Flooded ! go,
    json([{"milliseconds", worst(Quiet, Flooded, 0) / 1000}]).

rate(Count, Function) ->
    erlang:garbage_collect(),
    {Microseconds, _} = timer:tc(Function),
    json([{"rate", Count / Microseconds * 1000000}]).

json(Figures) ->
    ["{", lists:join(",", [io_lib:format("\"~s\":~.6f", [Name, Value * 1.0]) || {Name, Value} <- Figures]), "}"].

memory() ->
    erlang:garbage_collect(),
    erlang:memory(total).

calls(_, 0) -> ok;
calls(Server, Left) -> gen_server:call(Server, 1), calls(Server, Left - 1).

clients(Server, Clients, Calls) ->
    Monitors = [spawn_monitor(fun() -> calls(Server, Calls) end) || _ <- lists:seq(1, Clients)],
    [receive {'DOWN', Ref, _, _, _} -> ok end || {_, Ref} <- Monitors].

casts(_, 0) -> ok;
casts(Server, Left) -> gen_server:cast(Server, 1), casts(Server, Left - 1).

batches(_, 0) -> ok;
batches(Server, Left) -> casts(Server, ?BATCH), gen_server:call(Server, 1), batches(Server, Left - 1).

play(Main) ->
    receive
        {_, 0} -> Main ! over;
        {Peer, Balls} -> Peer ! {self(), Balls - 1}, play(Main)
    end.

%% Spawns a thousand processes at a time; the last one of them reports that it has run.
spawns(0) -> ok;
spawns(Left) ->
    Self = self(),
    [spawn(fun() -> ok end) || _ <- lists:seq(2, ?BATCH)],
    spawn(fun() -> Self ! ran end),
    receive ran -> spawns(Left - 1) end.

starts(0) -> ok;
starts(Left) -> {ok, _} = gen_server:start(?MODULE, 0, []), starts(Left - 1).

%% Calls the quiet server every millisecond until the flooded server has handled all its messages.
%% Returns the longest wait for a reply, in microseconds.
worst(Quiet, Flooded, Worst) ->
    Planned = erlang:monotonic_time(microsecond) + 1000,
    timer:sleep(1),
    gen_server:call(Quiet, 1),
    Delay = erlang:monotonic_time(microsecond) - Planned,
    case erlang:process_info(Flooded, message_queue_len) of
        {_, 0} -> max(Worst, Delay);
        _ -> worst(Quiet, Flooded, max(Worst, Delay))
    end.

start_worker(Name) -> gen_server:start_link({local, Name}, ?MODULE, 0, []).

init(workers) ->
    Names = [name(N) || N <- lists:seq(1, ?CHILDREN)],
    {ok, {#{}, [#{id => Name, start => {?MODULE, start_worker, [Name]}} || Name <- Names]}};
init(alike) ->
    {ok, {#{strategy => simple_one_for_one}, [#{id => worker, start => {?MODULE, start_worker, []}}]}};
init(State) -> {ok, State}.

name(N) -> list_to_atom("w" ++ integer_to_list(N)).

handle_call(Number, _From, Count) -> {reply, Count + Number, Count + Number}.

handle_cast(pause, Count) -> receive go -> {noreply, Count} end;
handle_cast(Number, Count) -> {noreply, Count + Number}.

handle_info({_, 0}, {player, Main} = State) -> Main ! over, {noreply, State};
handle_info({Peer, Balls}, State) -> Peer ! {self(), Balls - 1}, {noreply, State}.
