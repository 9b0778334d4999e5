"""The dashboard in a browser: a server on the loopback interface, with one dashboard process for each open page."""
