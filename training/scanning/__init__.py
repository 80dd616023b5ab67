"""Folders of images looked at before, so that unchanged files are not decoded again."""
