"""Gates: whether a result keeps a budget, one gate at a time. `bench` and `build` share them."""
