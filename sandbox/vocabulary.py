"""The words sample records are made of: people, places, songs, wares, sentences."""

GIVEN_NAMES = (
    "Ana", "Björn", "Chloé", "Dávid", "Émile", "François", "Grzegorz", "Håkon", "İpek", "João",
    "Kateřina", "Łukasz", "María", "Niamh", "Özlem", "Paweł", "Quentin", "Renée", "Søren", "Thảo",
    "Urška", "Vítor", "Wanjiru", "Xóchitl", "Yūki", "Zoë", "偉", "美咲", "지훈", "Дарья", "Γιώργος",
    "Mary Jane",
)  # fmt: skip
FAMILY_NAMES = (
    "O'Brien", "Müller", "Nuñez", "Sørensen", "Dvořák", "Kowalczyk", "Fernández", "d'Aubigné",
    "Ångström", "Đorđević", "Çelik", "Ferreira", "García Márquez", "Håland", "Ibáñez", "Jónsdóttir",
    "Kaya", "Lindqvist", "Mbeki", "Nguyễn", "Østergaard", "Pérez", "Quiñones", "Rodríguez", "Şahin",
    "Tamm", "Übel", "Văduva", "Williams", "王", "佐藤", "김",
)  # fmt: skip
PLACES = (
    ("Bogotá", "CO"), ("Köln", "DE"), ("Łódź", "PL"), ("São Paulo", "BR"), ("東京", "JP"),
    ("Leeds", "GB"), ("Montréal", "CA"), ("Austin", "US"), ("Malmö", "SE"), ("臺北", "TW"),
    ("Cork", "IE"), ("Zürich", "CH"),
)  # fmt: skip
CURRENCIES = ("USD", "USD", "USD", "USD", "EUR", "EUR", "GBP", "CAD")

WARES = (
    "Mug",
    "T-Shirt",
    "Poster",
    "Notebook",
    "Lamp",
    "Backpack",
    "Scarf",
    'Vinyl 12"',
    "Candle",
    "Teapot",
    "Umbrella",
)
LOOKS = (
    "Rustic",
    "Señorial",
    "Crème",
    "Midnight",
    "Größe Plus",
    "Handmade",
    "Recycled",
    "Jalapeño",
    "Nordic",
    "和風",
)
VENDORS = ("Casa Ñandú", "Smith & Sons", "Ateljé Öst", "Kōbō 工房", "Blue Door", "Fábrica 9")
SIZES = ("S", "M", "L", "XL")
PRODUCT_TYPES = ("Apparel", "Kitchen", "Stationery", "Home")
TAGS = ("", "vip", "gift", "gift, wholesale", "newsletter", "première")
NOTES = (
    "",
    "Please ring twice.",
    "Gift: “happy birthday”, 謝謝!",
    "Leave it with the neighbour\nif nobody is in.",
    "Entregar después de las 18:00",
    "Fragile <handle with care> & keep upright",
)
FINANCIAL_STATUSES = ("paid", "paid", "paid", "pending", "refunded", "partially_refunded", "authorized")
FULFILLMENT_STATUSES = (None, "fulfilled", "partial")

ARTISTS = (
    "Los Ángeles Verdes", "Sigrún Ósk", "Die Türme", "Mañana Club", "AC/DZ", "Motörwheel", "Beyoncélia",
    "Björn Quartet", "東京ジャズ隊", "Тихий Дон", "The \"Quoted\" Band", "Smith, Jones & Co.",
    "Zoë & the Étoiles", "Nação Azul",
)  # fmt: skip
GENRES = ("Rock", "Cumbia", "Jazz", "R&B", "Électro", "Música llanera", "Hip-Hop", "古典", "Folk/Country")
SONG_STARTS = (
    "Noche",
    "Winter",
    "Corazón",
    "Silent",
    "Étoile",
    "Última",
    "Schöne",
    "Paper",
    "Lluvia",
    "Midnight",
    "夜の",
)
SONG_ENDS = (
    "Blues",
    "de Abril",
    "Road",
    "Señorita",
    "Träume",
    "(Live)",
    "Machine",
    "Sans Toi",
    "Rain, Pt. 2",
    "物語",
)

CATEGORIES = ("music", "video", "movie", "game")
CATEGORY_UNITS = {"music": "canciones", "video": "videos", "movie": "películas", "game": "juegos"}
CAPACITIES_GB = (8, 16, 32, 64, 128)

HEADLINES = (
    "Harbour",
    "Café",
    "Parliament",
    "Festival",
    "Résumé",
    "Ökostrom",
    "Railway",
    "Museum",
    "新幹線",
    "Library",
)
EVENTS = (
    "opens its doors",
    "says “no”",
    "wins & loses",
    "is < 3 km long",
    "reste fermé",
    "sucht Paten",
    "改革へ",
)
TOPICS = ("culture", "économie", "sport", "science & nature", "Küche", "政治")
