"""Work with torch. Import these modules inside the functions that use them."""
