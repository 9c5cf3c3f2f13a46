"""How requests of a schedule go over their connections: HTTP/1.1, and unary calls of gRPC."""
