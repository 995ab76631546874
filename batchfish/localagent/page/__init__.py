"""Reading a page, purely: HTML becomes candidates, a schema or goal what is wanted, and both are matched."""
