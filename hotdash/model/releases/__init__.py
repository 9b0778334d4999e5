"""Words about releases and modules that the command line and the dashboard share."""
