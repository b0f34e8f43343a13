//! The life of runs on this machine, through the real program.
