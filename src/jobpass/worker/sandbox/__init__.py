"""What keeps a job from the machine that it runs on: namespaces, files of its own, a system-call filter, limits.

Linux only (5.14). Nothing here needs a compiler, nor a privilege where the kernel lets users make namespaces.
"""
