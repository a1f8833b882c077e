"""A few clips in MagnaTagATune's own layout: its files, columns and quotes."""

import csv

from tests.small_corpus import write_sound

# The 188 tags of annotations_final.csv, in its order.
TAGS = tuple(
    """no voice,singer,duet,plucking,hard rock,world,bongos,harpsichord,female singing,
clasical,sitar,chorus,female opera,male vocal,vocals,clarinet,heavy,silence,beats,men,
woodwind,funky,no strings,chimes,foreign,no piano,horns,classical,female,no voices,
soft rock,eerie,spacey,jazz,guitar,quiet,no beat,banjo,electric,solo,violins,folk,
female voice,wind,happy,ambient,new age,synth,funk,no singing,middle eastern,trumpet,
percussion,drum,airy,voice,repetitive,birds,space,strings,bass,harpsicord,medieval,
male voice,girl,keyboard,acoustic,loud,classic,string,drums,electronic,not classical,
chanting,no violin,not rock,no guitar,organ,no vocal,talking,choral,weird,opera,soprano,
fast,acoustic guitar,electric guitar,male singer,man singing,classical guitar,country,
violin,electro,reggae,tribal,dark,male opera,no vocals,irish,electronica,horn,operatic,
arabic,lol,low,instrumental,trance,chant,strange,drone,synthesizer,heavy metal,modern,
disco,bells,man,deep,fast beat,industrial,hard,harp,no flute,jungle,pop,lute,
female vocal,oboe,mellow,orchestral,viola,light,echo,piano,celtic,male vocals,orchestra,
eastern,old,flutes,punk,spanish,sad,sax,slow,male,blues,vocal,indian,no singer,scary,
india,woman,woman singing,rock,dance,piano solo,guitars,no drums,jazzy,singing,cello,
calm,female vocals,voices,different,techno,clapping,house,monks,flute,not opera,
not english,oriental,beat,upbeat,soft,noise,choir,female singer,rap,metal,hip hop,quick,
water,baroque,women,fiddle,english""".replace("\n", "").split(",")
)

FOLDERS = "0123456789abccddeeff"
# One of three for each clip in turn, so that every split has clips with and without.
GIVEN = (("guitar", "strange"), ("techno", "beats"), ("guitar", "weird", "beat"))


def rows(given=GIVEN, folders=FOLDERS):
    """clip_id, tags and mp3_path of a clip in each of the folders."""
    return [
        (
            str(2 + 4 * number),
            given[number % len(given)],
            f"{folder}/some_artist-some_album-01-some_track_{number}-30-59.mp3",
        )
        for number, folder in enumerate(folders)
    ]


def write_annotations(label_dir, clips, tags=TAGS):
    """Writes annotations_final.csv."""
    label_dir.mkdir(parents=True, exist_ok=True)
    table = label_dir / "annotations_final.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL)
        writer.writerow(["clip_id", *tags, "mp3_path"])
        for clip_id, own, path in clips:
            writer.writerow([clip_id, *(int(tag in own) for tag in tags), path])
    return table


def write_clip_info(label_dir, artists):
    """Writes clip_info_final.csv, from clip_id to artist."""
    columns = (
        *("clip_id", "track_number", "title", "artist", "album", "url"),
        *("segmentStart", "segmentEnd", "original_url", "mp3_path"),
    )
    with (label_dir / "clip_info_final.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        for clip_id, artist in artists.items():
            row = (clip_id, 1, 'A "title"', artist, "Album", "url", 30, 59, "", "")
            writer.writerow(row)


def write_magnatagatune(directory):
    """Writes labels and audio; returns audio_dir and label_dir."""
    audio_dir, label_dir = directory / "mp3", directory / "labels"
    clips = rows()
    write_annotations(label_dir, clips)
    write_clip_info(
        label_dir, {clip_id: f"Artist {path[0]}" for clip_id, _, path in clips}
    )
    for seed, (_, _, path) in enumerate(clips):
        write_sound(audio_dir / path, seed=seed, rate_hz=16_000)
    return audio_dir, label_dir
