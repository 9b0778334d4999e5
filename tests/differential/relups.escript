#!/usr/bin/env escript
-mode(compile).
%% For each folder that it reads, OTP's own relup between its releases old and new, as one line of JSON.
main(_) ->
    case io:read("") of
        {ok, Folder} -> io:format("~s~n", [json(relup(atom_to_list(Folder)))]), main([]);
        eof -> ok
    end.

relup(Folder) ->
    Path = [filename:join([Folder, "lib", "*", "ebin"])],
    {Old, New} = {filename:join(Folder, "old"), filename:join(Folder, "new")},
    try systools:make_relup(New, [Old], [Old], [{path, Path}, silent, noexec]) of
        {ok, {_, [{_, _, Up}], [{_, _, Down}]}, _, _} ->
            [lists:map(fun step/1, Up), lists:map(fun step/1, Down)];
        Error ->
            {text, io_lib:format("~p", [Error])}
    catch
        _:Reason -> {text, io_lib:format("~p", [Reason])}
    end.

step({load_object_code, {App, Vsn, Modules}}) -> [load_object_code, App, {text, Vsn}, Modules];
step({load, {Module, Pre, Post}}) -> [load, Module, Pre, Post];
step({remove, {Module, Pre, Post}}) -> [remove, Module, Pre, Post];
step({suspend, Modules}) -> [suspend, [pair(Entry) || Entry <- Modules]];
step({code_change, Way, Modules}) -> [code_change, Way, [pair(Entry) || Entry <- Modules]];
step({apply, {Module, Function, Arguments}}) -> [apply, Module, Function, Arguments];
step({sync_nodes, Id, Nodes}) -> [sync_nodes, Id, Nodes];
step({Name, Modules}) -> [Name, Modules];
step(Name) -> [Name].

pair({Module, Value}) -> [Module, Value];
pair(Module) -> Module.

json({text, Text}) -> io_lib:format("~p", [lists:flatten(string:replace(lists:flatten(Text), "\n", " ", all))]);
json(List) when is_list(List) -> ["[", lists:join(",", [json(Item) || Item <- List]), "]"];
json(Atom) when is_atom(Atom) -> ["\"", atom_to_list(Atom), "\""];
json(Number) -> integer_to_list(Number).
