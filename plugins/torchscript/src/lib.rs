//! Any module exported with torch.jit.script or torch.jit.trace.
