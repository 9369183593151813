"""Creating and deleting Flink clusters of HDInsight on AKS.

`cluster` is what a person requests, `body` what ARM gets, `creation` the waiting, `last_job` what
ran there before a deletion."""
