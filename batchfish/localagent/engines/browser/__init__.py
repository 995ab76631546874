"""The engine that reads pages in Chromium, and the browser that it drives."""
