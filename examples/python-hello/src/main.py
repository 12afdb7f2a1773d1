# Greets whoever the body names, or the world.
import platform


def main(context):
    name = context.req.body_text or "world"
    context.log(f"greeting {name}")
    return context.res.text(f"Hello, {name}! This is python {platform.python_version()}.")
