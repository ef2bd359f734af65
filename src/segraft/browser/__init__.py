"""The page that segments images in the browser: ``site/`` holds what is the same in every page."""
