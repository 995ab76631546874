"""Goals in words: the fields that they name, and the choices that no reader makes."""
