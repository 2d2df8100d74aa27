"""The programs that are sent to a device. They import nothing of edgekit."""
