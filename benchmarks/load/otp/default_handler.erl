%% The handler of /. Version 0.2.0, compiled with -DCOUNTS, counts its greetings.
-module(default_handler).
-export([reply/0]).

-ifdef(COUNTS).
reply() ->
    state_handler:hello_world(),
    {<<"200 OK">>, <<"Hello world 2 !">>}.
-else.
reply() -> {<<"200 OK">>, <<"Hello world!">>}.
-endif.
