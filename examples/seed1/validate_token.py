"""The page on retrieving and validating a token, to the letter; CATALOG_ADMIN_TOKEN_LIFETIME=1 makes it short."""

from time import sleep

from datacatalog.tokens import get_admin_lifetime, get_admin_token, validate_token
from datacatalog.tokens.admin import get_admin_key

akey = get_admin_key()
atoken = get_admin_token(akey)
print(validate_token(atoken))
sleep(get_admin_lifetime * 2)
print(validate_token(atoken))
atoken = get_admin_token(akey)
print(validate_token(atoken))
