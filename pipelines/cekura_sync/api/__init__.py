"""The results API: requests, retries, pages, and a listing that is proved to be complete."""
