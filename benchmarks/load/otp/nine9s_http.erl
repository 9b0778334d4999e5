%% A small HTTP listener: one process for each connection, which looks up the module of a path for each request.
-module(nine9s_http).
-export([start/1, set_routes/1, settled/0, listen/1, accept/1, serve/1]).

-define(ACCEPTORS, 10).
-define(OPTIONS, [binary, {packet, http_bin}, {active, false}, {reuseaddr, true}, {nodelay, true}, {backlog, 1024},
                  {ip, {127, 0, 0, 1}}]).

start(Port) ->
    register(?MODULE, spawn(?MODULE, listen, [Port])),
    ok.

%% Routes are a map from paths to modules with reply/0, which returns a status line and a body.
set_routes(Routes) -> persistent_term:put(?MODULE, Routes).

%% Waits for the requests that looked up their module before set_routes: none runs for a tenth of a second.
settled() -> timer:sleep(100), ok.

listen(Port) ->
    {ok, Listener} = gen_tcp:listen(Port, ?OPTIONS),
    [spawn_link(?MODULE, accept, [Listener]) || _ <- lists:seq(1, ?ACCEPTORS)],
    receive stop -> ok end.

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    ok = gen_tcp:controlling_process(Socket, spawn(?MODULE, serve, [Socket])),
    accept(Listener).

serve(Socket) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, {http_request, _Method, {abs_path, Path}, _Version}} -> headers(Socket, Path);
        _ -> gen_tcp:close(Socket)
    end.

headers(Socket, Path) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, http_eoh} ->
            {Status, Body} = reply(maps:get(Path, persistent_term:get(?MODULE), none)),
            Length = integer_to_binary(byte_size(Body)),
            ok = gen_tcp:send(Socket, [<<"HTTP/1.1 ">>, Status, <<"\r\ncontent-type: text/plain\r\ncontent-length: ">>,
                                       Length, <<"\r\n\r\n">>, Body]),
            serve(Socket);
        {ok, {http_header, _, _, _, _}} -> headers(Socket, Path);
        _ -> gen_tcp:close(Socket)
    end.

reply(none) -> {<<"404 Not Found">>, <<"Not Found">>};
reply(Module) -> Module:reply().
