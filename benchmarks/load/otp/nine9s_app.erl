%% The application: a supervisor and the site, on the port in the environment variable PORT.
-module(nine9s_app).
-behaviour(application).
-export([start/2, stop/1, set_routes_new/0, set_routes_old/0]).

start(_Type, _Args) ->
    {ok, Top} = nine9s_sup:start_link(),
    set_routes(),
    ok = nine9s_http:start(list_to_integer(os:getenv("PORT"))),
    {ok, Top}.

stop(_State) -> ok.

-ifdef(COUNTS).
set_routes() -> set_routes_new().
-else.
set_routes() -> set_routes_old().
-endif.

set_routes_new() -> nine9s_http:set_routes(#{<<"/">> => default_handler, <<"/count">> => count_handler}).
set_routes_old() -> nine9s_http:set_routes(#{<<"/">> => default_handler}).
