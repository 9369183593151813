"""Azure Resource Manager with the provider Microsoft.HDInsight, for HDInsight on AKS."""
