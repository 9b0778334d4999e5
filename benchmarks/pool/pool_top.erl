%% The application of the pool and its one supervisor. The environment variable POOL is the number
%% of workers.
-module(pool_top).
-behaviour(application).
-behaviour(supervisor).
-export([start/2, stop/1, init/1]).

start(_Type, _Args) ->
    {ok, Top} = supervisor:start_link({local, ?MODULE}, ?MODULE, []),
    Size = list_to_integer(os:getenv("POOL")),
    [{ok, _} = supervisor:start_child(Top, [Number]) || Number <- lists:seq(1, Size)],
    {ok, Top}.

stop(_State) -> ok.

init([]) ->
    Worker = #{id => worker, start => {pool_worker, start_link, []}, modules => [pool_worker]},
    {ok, {#{strategy => simple_one_for_one}, [Worker]}}.
