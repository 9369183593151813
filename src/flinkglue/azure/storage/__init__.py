"""Azure's storage: addresses (`abfs`), files (`abfs_files`, `blobs`), and the `layout` of a
cluster's."""
