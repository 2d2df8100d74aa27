"""The room where torch works. Import these modules inside the functions that use them."""
