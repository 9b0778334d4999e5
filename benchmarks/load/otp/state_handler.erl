%% Counts the greetings, in version 0.2.0.
-module(state_handler).
-behaviour(gen_server).
-export([start_link/0, hello_world/0, get_hello_world_count/0]).
-export([init/1, handle_call/3, handle_cast/2, code_change/3]).

start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).
hello_world() -> gen_server:cast(?MODULE, hello_world).
get_hello_world_count() -> gen_server:call(?MODULE, hello_world_count).

init([]) -> {ok, 0}.
handle_call(hello_world_count, _From, Count) -> {reply, Count, Count}.
handle_cast(hello_world, Count) -> {noreply, Count + 1}.
code_change(_OldVsn, Count, _Extra) -> {ok, Count}.
