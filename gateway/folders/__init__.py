"""Folders that strangers write to and read from: settle, claim, archive, put, exchange with a server; nothing overwritten, nothing deleted."""

from gateway.folders.durable import FolderTroubleError, GoneError, NameTakenError, free_name, rename_new
from gateway.folders.naming import safe_name
from gateway.folders.partner import Claimed, Facts, PartnerFolders

__all__ = ["Claimed", "Facts", "FolderTroubleError", "GoneError", "NameTakenError", "PartnerFolders", "free_name", "rename_new", "safe_name"]
