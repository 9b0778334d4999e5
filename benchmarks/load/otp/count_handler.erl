%% The handler of /count, in version 0.2.0.
-module(count_handler).
-export([reply/0]).

reply() -> {<<"200 OK">>, integer_to_binary(state_handler:get_hello_world_count())}.
