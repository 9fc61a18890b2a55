//! With the official programs: what decides whether we are right, not only consistent with ourselves.
