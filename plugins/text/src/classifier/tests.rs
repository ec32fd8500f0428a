mod behaviour;
mod references;

use super::*;
