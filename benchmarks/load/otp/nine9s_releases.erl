%% Builds both releases, and upgrades and downgrades the running one:
%%   erl -noshell -run nine9s_releases build DIRECTORY
%%   erl -noshell -sasl releases_dir ... -run nine9s_releases control DIRECTORY
-module(nine9s_releases).
-export([build/1, control/1]).

%% ---------------------------------------------------------------- both releases, in DIRECTORY

build([Root]) ->
    [ok = release(Root, Vsn) || Vsn <- ["0.1.0", "0.2.0"]],
    Options = [{path, [filename:join([Root, "lib", "*", "ebin"])]}, {outdir, filename:join([Root, "releases", "0.2.0"])},
               silent],
    {ok, _, _, _} = systools:make_relup(named(Root, "0.2.0"), [named(Root, "0.1.0")], [named(Root, "0.1.0")], Options),
    Applications = [{nine9s, "0.1.0", filename:join(Root, "lib")}],
    ok = release_handler:create_RELEASES(filename:join(Root, "releases"), named(Root, "0.1.0") ++ ".rel", Applications),
    halt().

named(Root, Vsn) -> filename:join([Root, "releases", Vsn, "nine9s"]).

release(Root, Vsn) ->
    Known = [{Name, version(Name)} || Name <- [kernel, stdlib, sasl]],
    Release = {release, {"nine9s", Vsn}, {erts, erlang:system_info(version)}, [{nine9s, Vsn} | Known]},
    ok = filelib:ensure_dir(named(Root, Vsn)),
    ok = file:write_file(named(Root, Vsn) ++ ".rel", io_lib:format("~p.~n", [Release])),
    ok = file:write_file(filename:join([Root, "releases", Vsn, "sys.config"]), "[]."),
    Options = [{path, [filename:join([Root, "lib", "nine9s-" ++ Vsn, "ebin"])]}, local, silent,
               {outdir, filename:dirname(named(Root, Vsn))}],
    {ok, _, _} = systools:make_script(named(Root, Vsn), Options),
    {ok, _} = file:copy(named(Root, Vsn) ++ ".boot", filename:join([Root, "releases", Vsn, "start.boot"])),
    ok.

version(Name) ->
    ok = case application:load(Name) of {error, {already_loaded, Name}} -> ok; Loaded -> Loaded end,
    {ok, Vsn} = application:get_key(Name, vsn),
    Vsn.

%% ---------------------------------------------------------------- the running release

%% Each line of the standard input is a version to install and to make permanent; the answer is a line.
control([Root]) ->
    Place = {nine9s, "0.2.0", filename:join(Root, "lib")},
    {ok, "0.2.0"} = release_handler:set_unpacked(named(Root, "0.2.0") ++ ".rel", [Place]),
    io:format("ready~n"),
    control_line(io:get_line("")).

control_line(eof) -> halt();
control_line(Line) ->
    Vsn = string:trim(Line),
    Answer = case release_handler:install_release(Vsn) of
        {ok, _, _} -> release_handler:make_permanent(Vsn);
        Failure -> Failure
    end,
    io:format("~0p~n", [Answer]),
    control_line(io:get_line("")).
