//! The HTTP front end over history and the cluster.
