"""SDV's Gaussian copula as a source of fixtures, in a process and an environment of its own."""
