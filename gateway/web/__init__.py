"""The pages and what machines ask over HTTP: HTTP to words and back; reads by views, acts by jobs, decides nothing."""
