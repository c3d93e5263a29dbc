"""Many tasks on one machine or on many, and the screen that shows them."""
