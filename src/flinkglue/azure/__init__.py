"""HDInsight on AKS over Azure Resource Manager, Key Vault and Blob Storage.

Read first `models` and `arm.client` (every URL of ARM is there), then the package for your
question:

- `arm`: the client, its answers, clusters and the runJob request
- `jobs`: a Flink job as ARM's list shows it, and the lifecycle's backend over it
- `clusters`: creating and deleting clusters
- `storage`: jars and savepoints in Blob Storage and Data Lake Storage
- `identity`, `key_vault`: how to sign in
"""
