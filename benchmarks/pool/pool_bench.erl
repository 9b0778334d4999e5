%% Builds the pool's two releases, and upgrades a running pool:
%%   erl -noshell -run pool_bench build DIRECTORY
%%   erl -noshell -sasl releases_dir ... -run pool_bench upgrade DIRECTORY
-module(pool_bench).
-export([build/1, upgrade/1]).

-define(PAUSE, 1).

%% ---------------------------------------------------------------- both releases, in DIRECTORY

build([Root]) ->
    [ok = release(Root, Vsn) || Vsn <- ["1.0.0", "2.0.0"]],
    Options = [{path, [filename:join([Root, "lib", "*", "ebin"])]}, {outdir, filename:join([Root, "releases", "2.0.0"])}],
    ok = systools:make_relup(named(Root, "2.0.0"), [named(Root, "1.0.0")], [named(Root, "1.0.0")], Options),
    Applications = [{pool, "1.0.0", filename:join(Root, "lib")}],
    ok = release_handler:create_RELEASES(filename:join(Root, "releases"), named(Root, "1.0.0") ++ ".rel", Applications),
    halt().

named(Root, Vsn) -> filename:join([Root, "releases", Vsn, "pool"]).

release(Root, Vsn) ->
    Known = [{Name, version(Name)} || Name <- [kernel, stdlib, sasl]],
    Release = {release, {"pool", Vsn}, {erts, erlang:system_info(version)}, [{pool, Vsn} | Known]},
    ok = filelib:ensure_dir(named(Root, Vsn)),
    ok = file:write_file(named(Root, Vsn) ++ ".rel", io_lib:format("~p.~n", [Release])),
    ok = file:write_file(filename:join([Root, "releases", Vsn, "sys.config"]), "[]."),
    Options = [{path, [filename:join([Root, "lib", "pool-" ++ Vsn, "ebin"])]}, local, silent,
               {outdir, filename:dirname(named(Root, Vsn))}],
    {ok, _, _} = systools:make_script(named(Root, Vsn), Options),
    {ok, _} = file:copy(named(Root, Vsn) ++ ".boot", filename:join([Root, "releases", Vsn, "start.boot"])),
    ok.

version(Name) ->
    ok = case application:load(Name) of {error, {already_loaded, Name}} -> ok; Loaded -> Loaded end,
    {ok, Vsn} = application:get_key(Name, vsn),
    Vsn.

%% ---------------------------------------------------------------- the upgrade of a running pool

upgrade([Root]) ->
    [{_, Worker, _, _} | _] = supervisor:which_children(pool_top),
    Place = {pool, "2.0.0", filename:join(Root, "lib")},
    {ok, "2.0.0"} = release_handler:set_unpacked(named(Root, "2.0.0") ++ ".rel", [Place]),
    {Up, UpGap} = watched(Worker, fun() -> install("2.0.0", "1.0.0") end),
    {Down, DownGap} = watched(Worker, fun() -> install("1.0.0", "1.0.0") end),
    io:format("{\"gap\": ~w, \"install\": ~w, \"down_gap\": ~w, \"down\": ~w}~n",
              [UpGap / 1.0e6, Up / 1.0e6, DownGap / 1.0e6, Down / 1.0e6]),
    halt().

install(Vsn, Other) ->
    {Microseconds, {ok, Other, _}} =
        timer:tc(fun() -> release_handler:install_release(Vsn, [{suspend_timeout, infinity}]) end),
    Microseconds.

%% Calls Do while a client calls Worker. Returns the result of Do and the client's longest wait for
%% a reply, in microseconds.
watched(Worker, Do) ->
    Self = self(),
    Client = spawn_link(fun() -> client(Self, Worker, 0) end),
    timer:sleep(300),
    Result = Do(),
    timer:sleep(300),
    Client ! {stop, self()},
    receive {gap, Gap} -> {Result, Gap} end.

client(Main, Worker, Longest) ->
    receive
        {stop, Main} -> Main ! {gap, Longest}
    after ?PAUSE ->
        Asked = erlang:monotonic_time(microsecond),
        ok = gen_server:call(Worker, add, infinity),
        client(Main, Worker, max(Longest, erlang:monotonic_time(microsecond) - Asked))
    end.
