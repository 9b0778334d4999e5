%% The application's supervisor. Version 0.2.0, compiled with -DCOUNTS, has a child.
-module(nine9s_sup).
-behaviour(supervisor).
-export([start_link/0, init/1]).

start_link() -> supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-ifdef(COUNTS).
init([]) ->
    Counter = #{id => state_handler, start => {state_handler, start_link, []}, restart => transient, shutdown => 60000},
    {ok, {#{strategy => one_for_all, intensity => 0, period => 1}, [Counter]}}.
-else.
init([]) -> {ok, {#{strategy => one_for_all, intensity => 0, period => 1}, []}}.
-endif.
