"""The Azure side of the local cloud: Entra ID, Key Vault, Azure Resource Manager, Blob storage."""
