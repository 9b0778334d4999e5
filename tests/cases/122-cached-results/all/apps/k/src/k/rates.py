def rate():
    return "@VSN@"
