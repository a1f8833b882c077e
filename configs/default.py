"""Every key of a run, with its default, unit and cost.

The other files in this folder override some of them; the command line overrides both
(`--config.train.max_epochs=20`). A key that is not here is an error.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The default configuration: decibel mel spectrograms, one seed."""
    config = ConfigDict()
    config.name = "default"  # Names the run's folder.
    config.task = "train"  # What --mode=run does: "train", or a study of the paper.
    config.sweep = ()  # A study's runs: (name, ((key, value), …)), … (sweeps.py).
    config.seed = 0  # First initialisation; S seeds are seed, seed + 1, …
    config.num_seeds = 1  # S. Time and memory grow with it, input does not.
    config.data_seed = 0  # Order of the training clips, the same for all seeds.

    config.corpus = ConfigDict()
    # "synthetic", "folder", "msd", "magnatagatune" or "mtg_jamendo".
    config.corpus.name = "synthetic"
    config.corpus.audio_dir = ""  # Audio files; of a folder corpus, with tags.csv.
    config.corpus.label_dir = ""  # Label files of published corpora.
    config.corpus.num_clips = 900  # Synthetic: train, valid, test in ratio 6:1:2.
    config.corpus.seed = 0  # Synthetic: another seed is another corpus.
    config.corpus.tagability_exponent = 0.5  # Synthetic: 1 is as sparse as Last.fm.
    config.corpus.num_tags = 50  # K, of MagnaTagATune, and of MSD from Last.fm.
    config.corpus.merge_synonyms = False  # MagnaTagATune: before tags are counted.
    # MSD: "split_files", "lastfm" or "pickles"; "auto" is the kind that label_dir has.
    config.corpus.labels = "auto"
    # MTG-Jamendo, in place of num_tags: "autotagging_top50tags", "autotagging" (all
    # tags), "autotagging_genre", "autotagging_instrument", "autotagging_moodtheme".
    config.corpus.subset = "autotagging_top50tags"
    config.corpus.fold = 0  # MTG-Jamendo: 0 to 4, one of its five splits.
    config.corpus.excerpts_per_track = 1  # MTG-Jamendo: 1 is the centre.

    config.clip = ConfigDict()
    config.clip.duration_s = 29.0  # Shorter audio is padded with zeros.
    config.clip.offset = "start"  # "start" or "centre" of a longer track.

    config.spectrogram = ConfigDict()
    config.spectrogram.kind = "mel"  # "mel" or "stft" (2.7 times larger).
    config.spectrogram.sample_rate_hz = 12_000
    config.spectrogram.dft_size_samples = 512
    config.spectrogram.hop_samples = 256
    config.spectrogram.num_mel_bands = 96  # M for mel; STFT has 257.

    config.preprocessing = ConfigDict()
    config.preprocessing.magnitude = "db"  # "db" or "linear" (power).
    # "bypass", "a_weighting", "per_frequency" (each clip's bands standardised over
    # time) or "per_frequency_dataset" (by statistics of the training clips).
    config.preprocessing.frequency_weighting = "bypass"
    config.preprocessing.standardise_clip = True  # Over all bands and frames.
    config.preprocessing.scale = 1.0  # Factor on the input; the paper tries 10.

    config.model = ConfigDict()
    config.model.channels = 32  # N, feature maps per layer.
    config.model.pools = ()  # ((bands, frames), …) per layer; () for the paper's.
    config.model.batch_norm_momentum = 0.99
    config.model.batch_norm_epsilon = 1e-3
    config.model.dtype = "float32"  # "bfloat16" halves memory on accelerators.

    config.train = ConfigDict()
    # Start from the weights of this bundle, whose tags may be others; "" starts anew.
    config.train.init_bundle = ""
    # Of a bundle that is started from: "nothing", or "features", all but the last layer
    # and so the batch statistics too.
    config.train.freeze = "nothing"
    config.train.batch_size = 0  # B. 0: 32 on accelerators, 8 on CPU.
    config.train.optimiser = "adam"  # "adam" or "sgd".
    config.train.learning_rate = 5e-3
    config.train.fraction = 1.0  # Share of the training clips; shares are nested.
    config.train.max_epochs = 10.0  # About 9 s an epoch of 600 clips on 2 cores.
    config.train.max_steps = 0  # Ends earlier than max_epochs if not 0.
    config.train.patience_epochs = 0.0  # Early stopping; 0 for none.
    config.train.evaluate_every_epochs = 1.0  # On the validation split.
    config.train.evaluation_batch_size = 0  # 0: as batch_size. Changes no score.
    # Training clips over which batch statistics are estimated anew before an
    # evaluation; 0 uses the running statistics as they are.
    config.train.statistics_clips = 128
    config.train.log_every_steps = 20
    # Checkpoints between evaluations, which save too; a kill costs no more than that.
    config.train.checkpoint_every_minutes = 10.0
    config.train.parallel = "data"  # "data" splits batches over devices, "seeds" seeds.
    config.train.num_devices = 0  # Of each process. 0: all there are.
    config.train.seeds_per_chunk = 0  # Seeds at once. 0: 1 on CPU, else all.

    config.prepare = ConfigDict()
    config.prepare.num_processes = 0  # 0: one per core.
    # Array jobs that share a file system: job `worker` of `num_workers`, from 0, writes
    # its slice of the shards, with --mode=prepare (docs/preparation.md).
    config.prepare.worker = 0
    config.prepare.num_workers = 1
    # Options of an Apache Beam pipeline that writes the shards, "--runner=…"; "" for
    # processes of this machine.
    config.prepare.beam = ""
    config.prepare.kinds = ()  # ("mel", "stft") makes both in one pass; () the run's.
    config.prepare.clips_per_shard = 64
    config.prepare.max_bad_share = 0.1  # More unreadable files than this is an error.

    config.input = ConfigDict()
    # "tf.data", or "plain" threads that need no TensorFlow; both give the same batches.
    # Where TensorFlow is not installed, "tf.data" means "plain".
    config.input.reader = "tf.data"

    config.analysis = ConfigDict()
    config.analysis.similarity = "cosine"  # Of label vectors: "cosine" or "dot".
    # Synthetic corpus: label statistics are of so many clips that are drawn and not
    # played, at the sparsity of Last.fm; 0 for the clips of the corpus.
    config.analysis.label_only_clips = 200_000
    # Labels that are judged by listening or by the truth, on about so many clips: half
    # of the first with a label and half without, the second at random.
    config.analysis.annotated_labels = (
        "female vocalists",
        "male vocalists",
        "instrumental",
        "guitar",
    )
    config.analysis.subset100_clips = 100
    config.analysis.subset400_clips = 400
    config.analysis.subset_seed = 0
    config.analysis.annotations = ()  # Answers: CSV files, or Label Studio's JSON.
    config.analysis.label_studio = False  # --mode=annotate exports tasks for it too.
    config.analysis.bootstrap_samples = 2000  # Of counts; a second.
    config.analysis.num_resamples = 200  # Of scores; about a minute for all studies.
    config.analysis.linear_baseline = True  # A few seconds; printed beside the network.

    # Keeps compiled programs in this folder, so that the next start need not compile
    # them again; "" for no folder. Different processors need different folders.
    config.compilation_cache_dir = ""
    config.stall_warning_s = 120.0  # Logs what a step waits for so long; 0: never.
    config.profile_steps = ()  # (first, last): JAX's profiler writes <workdir>/profile.
    # Several processes for one run (docs/processes.md): "auto" under SLURM, Open MPI,
    # Kubernetes or on a TPU pod; elsewhere "host:port", where process 0 listens, and
    # the next two keys. "" for one process.
    config.distributed = ""
    config.process_count = 0  # With "host:port": how many processes.
    config.process_index = 0  # With "host:port": which of them this is, from 0.
    config.resume = True  # Go on in the run's folder; False starts anew in another.
    return config.lock()
