"""Recordings under names and in folders of the user's own: tables of clips, and layouts other than the challenge's."""
