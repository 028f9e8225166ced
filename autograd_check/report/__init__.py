"""Records turned into what people read; nothing here judges."""
