%% One of the servers whose state is migrated. Compiled twice: version 2.0.0, with -DTAGGED, has one more field.
-module(pool_worker).
-behaviour(gen_server).
-export([start_link/1, init/1, handle_call/3, handle_cast/2, code_change/3]).

-ifdef(TAGGED).
-vsn("2.0.0").
-record(state, {number, count = 0, tag = new}).
code_change({down, _}, {state, Number, Count, _Tag}, _Extra) -> {ok, {state, Number, Count}};
code_change(_From, {state, Number, Count}, _Extra) -> {ok, #state{number = Number, count = Count}}.
-else.
-vsn("1.0.0").
-record(state, {number, count = 0}).
code_change(_From, State, _Extra) -> {ok, State}.
-endif.

start_link(Number) -> gen_server:start_link(?MODULE, Number, []).

init(Number) -> {ok, #state{number = Number}}.

handle_call(add, _From, State) -> {reply, ok, State#state{count = State#state.count + 1}}.

handle_cast(_Message, State) -> {noreply, State}.
