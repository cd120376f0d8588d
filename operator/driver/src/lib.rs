//! The only Kubernetes IO, generic over Kind.
