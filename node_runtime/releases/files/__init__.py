"""The files of a project and of a release as typed values, with limits and validation errors."""
