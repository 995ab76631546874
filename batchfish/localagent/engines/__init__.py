"""The engines that work on a run, behind one port."""
